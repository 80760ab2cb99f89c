import { useEffect, useMemo, useState } from 'preact/hooks';
import { gathered } from '../model/gathered.js';
import type { ControlLink } from '../wire/control.js';
import { Fault } from '../wire/fault.js';

/** However many events come, it is asked so often at most. */
const LOOK_MS = 500;

interface Listed<Item> {
  readonly items: readonly Item[] | null;
  readonly fault: Fault | null;
  /** Does something, then lists anew; what goes wrong is shown. */
  readonly act: (work: () => Promise<unknown>) => Promise<void>;
}

/** A list of the control plane's, asked for anew after each act, each event, and each time that the connection is back. */
export function useList<Item>(control: ControlLink, ask: () => Promise<readonly Item[]>): Listed<Item> {
  const [items, setItems] = useState<readonly Item[] | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const load = useMemo(() => {
    const list = async (): Promise<void> => {
      try {
        setItems(await ask());
      } catch (thrown) {
        const failed = Fault.from(thrown);
        if (failed.code !== 'EHOSTDOWN') setFault(failed);
      }
    };
    return gathered(list, LOOK_MS);
  }, [ask]);
  useEffect(() => {
    const again = (): void => {
      if (control.state.value === 'open') void load();
    };
    again();
    const stops = [control.state.on(again), control.watch({ reset: () => undefined, event: again })];
    return () => stops.forEach((stop) => stop());
  }, [control, load]);
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      setFault(null);
    } catch (thrown) {
      setFault(Fault.from(thrown));
    }
    await load();
  };
  return { items, fault, act };
}
