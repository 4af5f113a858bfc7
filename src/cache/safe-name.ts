/** File systems take 255 bytes; a name also gets suffixes. */
const MAX_LENGTH = 150;

/**
 * A folder name for any text: letters, digits, `-` and `_` stay, everything else is written as `~` and its code, so that no
 * text leads out of its parent folder and no two texts that fit share a name.
 * @param maxLength longer results are cut
 */
export function safeName(text: string, maxLength: number = MAX_LENGTH): string {
  const encoded = [...Buffer.from(text)].map(encode).join('');
  return encoded === '' ? '~' : encoded.slice(0, maxLength);
}

function encode(byte: number): string {
  const char = String.fromCharCode(byte);
  return /[A-Za-z0-9_-]/.test(char) ? char : `~${byte.toString(16).padStart(2, '0')}`;
}

/** True for a plain file name that may be joined to a folder: no separators, not hidden, no way up. */
export function isPlainFileName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/.test(name);
}
