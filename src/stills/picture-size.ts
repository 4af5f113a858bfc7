/** Pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/**
 * ffmpeg's filter that fits a picture of any shape into a box, with square pixels, even sizes and the colours that a JPEG
 * has (ITU-R BT.601).
 */
export function fitFilter({ width, height }: PictureSize): string {
  const scale = `min(${width}/(iw*sar),${height}/ih)`;
  const size = `w='max(2,2*round(iw*sar*${scale}/2))':h='max(2,2*round(ih*${scale}/2))'`;
  return `scale=${size}:out_color_matrix=bt601,setsar=1`;
}
