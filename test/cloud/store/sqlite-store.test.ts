import { join } from 'node:path';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { storeContract } from './contract/contract.ts';

storeContract('SQLite', { newPlace: () => join(tempDir(), 'cloud.db'), open: openSqliteStore });
