import v8 from 'node:v8';
import vm from 'node:vm';

v8.setFlagsFromString('--expose-gc');

/** Frees what nothing holds any more. */
export const collectGarbage = vm.runInNewContext('gc') as () => void;

/** Bytes of all buffers that something still holds: what is only waiting to be collected does not count. */
export function heldBufferBytes(): number {
  // Buffers are freed beside the collection that finds them dead; the next collection waits for that.
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}
