import type { RenditionSpec } from '../../ladder/rendition.ts';

/** How one of ffmpeg's H.264 encoders is driven: low delay, keyframes where they are forced and nowhere else. */
export interface VideoEncoder {
  readonly name: string;
  /** Options before the input, e.g. to open a device. */
  readonly deviceOptions: Readonly<Record<string, string | number>>;
  /** Filter that brings pictures to where the encoder takes them from. */
  readonly upload: string;
  readonly options: (spec: RenditionSpec) => Readonly<Record<string, string | number>>;
}

const IN_MEMORY = 'format=yuv420p';

/** Encoder that is always there. */
export const SOFTWARE_ENCODER = 'libx264';

const LIBX264: VideoEncoder = {
  name: SOFTWARE_ENCODER,
  deviceOptions: {},
  upload: IN_MEMORY,
  options: ({ preset }) => ({
    preset: preset ?? 'veryfast',
    tune: 'zerolatency',
    keyint_min: 1,
    sc_threshold: 0,
    'forced-idr': 1,
  }),
};

/** Hardware encoders in the order in which `auto` tries them. */
const HARDWARE: readonly VideoEncoder[] = [
  {
    name: 'h264_nvenc',
    deviceOptions: {},
    upload: IN_MEMORY,
    options: () => ({
      ...{ preset: 'p4', tune: 'll', rc: 'vbr', zerolatency: 1, delay: 0, bf: 0 },
      ...{ 'no-scenecut': 1, 'forced-idr': 1 },
    }),
  },
  {
    name: 'h264_qsv',
    deviceOptions: {},
    upload: 'format=nv12',
    options: () => ({ preset: 'veryfast', async_depth: 1, look_ahead: 0, adaptive_i: 0, bf: 0, forced_idr: 1 }),
  },
  {
    name: 'h264_vaapi',
    deviceOptions: { vaapi_device: '/dev/dri/renderD128' },
    upload: 'format=nv12,hwupload',
    options: () => ({ async_depth: 1, bf: 0, rc_mode: 'VBR' }),
  },
  {
    name: 'h264_videotoolbox',
    deviceOptions: {},
    upload: 'format=nv12',
    options: () => ({ realtime: 1, bf: 0 }),
  },
  {
    name: 'h264_amf',
    deviceOptions: {},
    upload: 'format=nv12',
    options: () => ({ usage: 'ultralowlatency', quality: 'speed', rc: 'vbr_peak', bf: 0 }),
  },
];

/** Names of the hardware encoders, in the order in which `auto` prefers them. */
export const HARDWARE_ENCODERS: readonly string[] = HARDWARE.map(({ name }) => name);

/** How the encoder is driven; `undefined` for one that is not known. */
export function videoEncoder(name: string): VideoEncoder | undefined {
  return name === SOFTWARE_ENCODER ? LIBX264 : HARDWARE.find((encoder) => encoder.name === name);
}
