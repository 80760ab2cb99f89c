/** The signals that ask a server to end; a second one of them ends it at once. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves when the process is asked to stop, or `gone` settles: with the signal, or with what `gone` gave. */
export function untilStopped<Reason>(gone: Promise<Reason>): Promise<NodeJS.Signals | Reason> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (asked) process.exit(130);
        asked = true;
        resolve(signal);
      });
    }
    void gone.then(resolve);
  });
}
