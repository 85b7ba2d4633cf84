import Database from 'better-sqlite3';
import { openSqliteStore } from '../../cloud/store/sqlite-store.ts';
import type { Store } from '../../cloud/store/store.ts';

/** The store with its connection: for questions and faults that its contract has no word for. */
export function openWithConnection(path: string): { store: Store; db: Database.Database } {
  const db = new Database(path);
  return { db, store: openSqliteStore(path, () => db) };
}

/** The disk has no room for another page, until `giveRoom`. The error is SQLite's own. */
export function takeRoom(db: Database.Database): { giveRoom: () => void } {
  const most = Number(db.pragma('max_page_count', { simple: true }));
  db.pragma(`max_page_count = ${Number(db.pragma('page_count', { simple: true }))}`);
  return { giveRoom: () => void db.pragma(`max_page_count = ${most}`) };
}
