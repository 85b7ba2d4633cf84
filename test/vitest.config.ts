import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // Native addons (SQLite, serial ports) want a process of their own.
    pool: 'forks',
    // By itself vitest leaves a core free, which on a machine of two is the half.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Names that say what is kept, and the ones that were slow.
    slowTestThreshold: 2000,
    allowOnly: false,
    passWithNoTests: false,
  },
});
