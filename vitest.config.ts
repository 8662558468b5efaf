import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // chDB binds one data directory per process: each test file gets its own process.
    pool: 'forks',
  },
});
