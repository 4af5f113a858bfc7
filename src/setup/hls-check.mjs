// `npm run hls:check -- URL`: all set-up, then the check of a stream from the outside.
import { setUp } from './set-up.mjs';

await setUp({ ffmpeg: false });
await import('../../dist/check/main.js');
