import t from 'tap';
import { Cancel } from '../../lib/drivers/index.js';

t.test(
  'each who listens hears of it once, with the first reason, and none who went or came later',
  async (t) => {
    const cancel = new Cancel();
    const heard: string[] = [];
    const hear = (who: string) => (): void => void heard.push(`${who}: ${String(cancel.reason)}`);
    const gone = hear('gone');
    cancel.addEventListener('abort', hear('first'));
    cancel.addEventListener('abort', gone);
    cancel.addEventListener('abort', hear('second'));
    cancel.removeEventListener('abort', gone);
    t.equal(cancel.aborted, false);
    cancel.abort('enough');
    cancel.abort('again');
    cancel.addEventListener('abort', hear('late'));
    t.strictSame(heard, ['first: enough', 'second: enough']);
    t.equal(cancel.aborted, true);
  },
);
