import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../../util/errors.ts';

/** A file or folder below a media root, symlinks resolved. */
export interface RootedPath {
  readonly realPath: string;
  /** `ROOTNAME/path/below`, with `/` between names; asking for it finds the same thing. */
  readonly label: string;
}

/** One folder that files may be played from. */
export interface MediaRoot {
  /** Its own last name; `-2`, `-3` ... is added where several are called the same. */
  readonly name: string;
  /** Absolute, as configured. */
  readonly path: string;
}

/**
 * The folders with files to play. What lies outside cannot be reached: not by `..`, not by an absolute path, not by a
 * symlink, and no answer tells whether it exists. Folders may come and go while the program runs.
 */
export class MediaRoots {
  readonly roots: readonly MediaRoot[];

  constructor(paths: readonly string[]) {
    const names = new Map<string, number>();
    this.roots = paths.map((given) => {
      const absolute = path.resolve(given);
      const base = path.basename(absolute) || 'root';
      const count = (names.get(base) ?? 0) + 1;
      names.set(base, count);
      return Object.freeze({ name: count === 1 ? base : `${base}-${count}`, path: absolute });
    });
  }

  /**
   * Finds what a user names: an absolute path below a root, `ROOTNAME/path`, or a path relative to the first root that
   * has it.
   * @throws AppError `BAD_REQUEST` for a name that cannot be one, `FORBIDDEN` for one outside the roots, `NOT_FOUND` if
   *   there is nothing of that name
   */
  async find(name: string): Promise<RootedPath> {
    for (const { root, below } of this.#candidates(name)) {
      const found = await locate(root, below);
      if (found !== undefined) return found;
    }
    throw new AppError(
      'NOT_FOUND',
      `there is no "${name}" below a media root that may be read (links that lead out of the root are not followed)`,
    );
  }

  #candidates(name: string): { root: MediaRoot; below: string }[] {
    if (this.roots.length === 0) {
      throw new AppError('FORBIDDEN', 'no local file may be played: name folders in "mediaRoots" of the configuration');
    }
    if (name.split(/[/\\]/).includes('..')) {
      throw new AppError('FORBIDDEN', `"${name}" must not hold ".."; name the file below a media root directly`);
    }
    if (path.isAbsolute(name)) {
      const inside = this.roots.filter((root) => isWithin(root.path, name));
      if (inside.length > 0) return inside.map((root) => ({ root, below: path.relative(root.path, name) }));
      throw new AppError('FORBIDDEN', `"${name}" is not below a media root`);
    }
    const plain = path.normalize(name);
    const [first = '', ...rest] = plain.split(path.sep);
    const named = this.roots.filter((root) => root.name === first).map((root) => ({ root, below: path.join(...rest) }));
    return [...named, ...this.roots.map((root) => ({ root, below: plain }))];
  }
}

async function locate(root: MediaRoot, below: string): Promise<RootedPath | undefined> {
  try {
    const realRoot = await fs.realpath(root.path);
    const realPath = await fs.realpath(path.join(realRoot, below));
    if (!isWithin(realRoot, realPath)) return undefined;
    await fs.access(realPath, constants.R_OK);
    return {
      realPath,
      label: [root.name, ...below.split(path.sep)].filter((part) => part !== '' && part !== '.').join('/'),
    };
  } catch {
    // Missing, forbidden by the system, a link that leads nowhere: all the same to whoever asks.
    return undefined;
  }
}

function isWithin(folder: string, candidate: string): boolean {
  const relative = path.relative(folder, candidate);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}
