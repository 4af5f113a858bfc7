// `npm start`: all set-up, then the server, in this very process.
import { setUp } from './set-up.mjs';

const argv = process.argv.slice(2);
const onlyPrints = argv.includes('--help') || argv.includes('--check');

await setUp({ ffmpeg: !onlyPrints });
const { main } = await import('../../dist/main.js');
await main(argv, process.env);
