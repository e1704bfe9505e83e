import { defineConfig } from 'vitest/config';

// Forks, because tests kill -9 real processes and run native workers; two, because CI has two cores.
const shared = { pool: 'forks' as const, testTimeout: 120_000, hookTimeout: 180_000, teardownTimeout: 60_000 };
const folders = ['contracts', 'core', 'workflows', 'activities', 'plugins', 'workers', 'cli'];

// Vitest reads its configuration from the default export.
// eslint-disable-next-line no-restricted-syntax
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: 'unit', include: folders.map((folder) => `${folder}/**/*.test.ts`) } },
      { test: { ...shared, name: 'system', include: ['test/**/*.test.ts'] } },
    ],
  },
});
