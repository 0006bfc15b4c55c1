/** Takes signals of this process away from whoever hears them now, until the end of the scope. */
export function takeSignals(names: readonly NodeJS.Signals[], hear: (name: NodeJS.Signals) => void): Disposable {
  const before = names.map((name) => [name, process.listeners(name)] as const);
  for (const name of names) {
    process.removeAllListeners(name);
    process.on(name, hear);
  }
  return {
    [Symbol.dispose]: () => {
      for (const [name, listeners] of before) {
        process.removeListener(name, hear);
        for (const listener of listeners) process.on(name, listener);
      }
    },
  };
}
