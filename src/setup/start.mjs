#!/usr/bin/env node
// `npm start` and `npx laddercast`: all set-up, then what the arguments ask for, in this very process.
import { setUp } from './set-up.mjs';

const argv = process.argv.slice(2);
const onlyPrints = argv.includes('--help') || argv.includes('--check');

await setUp({ ffmpeg: !onlyPrints });
const { main } = await import('../../dist/main.js');
await main(argv, process.env);
