import { defineConfig } from 'vitest/config';

const e2e = ['test/e2e/**/*.test.ts'];
/** Browsers that play while encoders run take most of the machine. */
const players = ['test/e2e/{live-browser,pages,player-*}.test.ts'];
/** What judges whether live streams keep their time needs processors that nothing else takes. */
const alone = ['test/e2e/hls-check*.test.ts'];
/** What streams in real time waits for most of its time: more run at a time than there are processors. */
const real = { testTimeout: 120_000, hookTimeout: 60_000, pool: 'forks' as const };

export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: e2e, testTimeout: 20_000, maxWorkers: 2 },
      },
      {
        extends: true,
        test: { ...real, name: 'e2e', include: e2e, exclude: [...players, ...alone], maxWorkers: 3 },
      },
      {
        extends: true,
        test: { ...real, name: 'alone', include: alone, maxWorkers: 1 },
      },
      {
        extends: true,
        test: { ...real, name: 'players', include: players, maxWorkers: 2 },
      },
    ],
  },
});
