/** Bytes for people. */
export function sizeOf(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  return bytes >= 1e5 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

/** A duration as hours, minutes and seconds. */
export function durationOf(durationMs) {
  const totalS = Math.round(durationMs / 1000);
  const two = (value) => String(value).padStart(2, '0');
  return `${Math.floor(totalS / 3600)}:${two(Math.floor(totalS / 60) % 60)}:${two(totalS % 60)}`;
}
