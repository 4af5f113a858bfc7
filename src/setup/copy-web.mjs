// Last part of `npm run build`: the pages need no compiler, only to be beside the compiled server.
import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from './set-up.mjs';

const target = path.join(ROOT, 'dist', 'web');
await rm(target, { recursive: true, force: true });
await cp(path.join(ROOT, 'src', 'web'), target, { recursive: true });
