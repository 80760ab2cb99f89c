import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { until } from './until.js';

/** Datagrams that come to a socket, as a service manager reads them; Node has no such sockets. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind('\\0' + name[1:] if name.startswith('@') else name)
print('bound', flush=True)
while True:
    print(repr(s.recv(65536).decode()), flush=True)
`;

export class NotifySocket {
  readonly address: string;
  #received = '';

  private constructor(address: string) {
    this.address = address;
  }

  static async open(t: Test, address: string): Promise<NotifySocket> {
    const opened = new NotifySocket(address);
    const child = spawn('python3', ['-c', RECEIVER, address], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    child.stdout.setEncoding('utf8').on('data', (text: string) => (opened.#received += text));
    t.teardown(async () => {
      child.kill();
      await ended;
    });
    await until(() => opened.#received.startsWith('bound\n'), 'the socket');
    return opened;
  }

  /** What came, a datagram each. */
  get messages(): string[] {
    return this.#received.split('\n').slice(1, -1);
  }

  /** Waits for one that matches, among those from number `from` on; answers the number of the next. */
  async says(pattern: RegExp, from = 0): Promise<number> {
    const find = (): number => this.messages.findIndex((one, index) => index >= from && pattern.test(one));
    await until(() => find() >= 0, `${String(pattern)} on the notify socket`, 60_000);
    return find() + 1;
  }
}
