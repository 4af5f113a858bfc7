import { AppError, type ErrorCode } from '../util/errors.ts';
import { factoryOf, RESERVED_RENDITION_NAMES, type RenditionSpec } from './rendition.ts';

/**
 * Checks what the schema of a rung cannot say: which settings belong together.
 * @param subject Names the rung in the message.
 * @throws AppError with `code` for settings that contradict each other, `CONFLICT` for a name that the program uses.
 */
export function checkRendition(spec: RenditionSpec, subject: string, code: ErrorCode): void {
  if (RESERVED_RENDITION_NAMES.includes(spec.name)) {
    throw new AppError('CONFLICT', `${subject}: the name "${spec.name}" is reserved; choose another one`);
  }
  const fault = factoryOf(spec) === 'passthrough' ? passthroughFault(spec) : encodedFault(spec);
  if (fault !== undefined) throw new AppError(code, `${subject}: ${fault}`);
}

const VIDEO_SETTINGS = [
  'videoBitrateKbps',
  'maxFrameRate',
  'profile',
  'encoder',
  'softwareFallback',
  'preset',
] as const satisfies readonly (keyof RenditionSpec)[];

function passthroughFault(spec: RenditionSpec): string | undefined {
  const set = (['width', 'height', ...VIDEO_SETTINGS] as const).find((key) => spec[key] !== undefined);
  return set && `"${set}" has no meaning with factory "passthrough", which serves the video as it comes; leave it out`;
}

function encodedFault(spec: RenditionSpec): string | undefined {
  if (spec.width !== undefined || spec.height !== undefined) {
    return spec.videoBitrateKbps === undefined ? '"videoBitrateKbps" is missing' : undefined;
  }
  const set = VIDEO_SETTINGS.find((key) => spec[key] !== undefined);
  return set && `"${set}" needs "width" or "height"; a rung without both carries audio only`;
}
