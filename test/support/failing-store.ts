import { openSqliteStore } from '../../cloud/store/sqlite-store.ts';
import type { Store } from '../../cloud/store/store.ts';
import { StoreError } from '../../protocol/host/sqlite.ts';

/** What a disk does to a store, by the name of what is asked of it. */
export type Faults = { [Method in keyof Store]?: 'full' | 'io' | undefined };

const codes = { full: 'SQLITE_FULL', io: 'SQLITE_IOERR_WRITE' } as const;
const texts = { full: 'database or disk is full', io: 'disk I/O error' } as const;

/** The real store on a disk that fails as `faults` says at the moment. */
export function failingStore(faults: Faults): (path: string) => Store {
  return (path) =>
    new Proxy(openSqliteStore(path), {
      get(store, name) {
        const value: unknown = Reflect.get(store, name, store);
        if (typeof value !== 'function') return value;
        return (...parameters: unknown[]) => {
          const fault = (faults as Record<string | symbol, 'full' | 'io' | undefined>)[name];
          if (!fault) return value.apply(store, parameters);
          const cause = Object.assign(new Error(texts[fault]), { code: codes[fault] });
          return Promise.reject(new StoreError(texts[fault], { cause }));
        };
      },
    });
}
