import { main } from './main.ts';

// The set-up imports `main` instead, so that it runs in the same process.
await main(process.argv.slice(2));
