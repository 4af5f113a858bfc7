import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { AppError, type ErrorCode } from './errors.ts';

/** Where a checked value came from and how a fault in it is reported. */
export interface CheckOptions {
  /** Names the value in the message, e.g. `laddercast.toml` or `ladder default, rendition 2`. */
  readonly subject: string;
  /** Code of the thrown error; `BAD_CONFIG` if left out. */
  readonly code?: ErrorCode;
  /** Dotted keys whose values must not appear in a message. */
  readonly secretKeys?: readonly string[];
}

/**
 * Hands the value back as what the schema says it is. Unknown keys are faults where the schema forbids them.
 * @throws AppError that names the subject, the key, and the value that was wrong.
 */
export function checkSchema<T extends TSchema>(schema: T, value: unknown, options: CheckOptions): Static<T> {
  if (Value.Check(schema, value)) return value;
  const { subject, code = 'BAD_CONFIG', secretKeys = [] } = options;
  throw new AppError(code, `${subject}: ${describeFault(schema, value, secretKeys)}`);
}

function describeFault(schema: TSchema, value: unknown, secretKeys: readonly string[]): string {
  const errors = Value.Errors(schema, value);
  const unknown = errors.find(({ keyword }) => keyword === 'additionalProperties');
  if (unknown !== undefined) {
    const { additionalProperties } = unknown.params as { additionalProperties: string[] };
    const keys = additionalProperties.map((key) => `"${dotted(`${unknown.instancePath}/${key}`)}"`);
    return `unknown key ${keys.join(', ')}`;
  }
  const missing = errors.find(({ keyword }) => keyword === 'required');
  if (missing !== undefined) {
    const { requiredProperties } = missing.params as { requiredProperties: string[] };
    return `${requiredProperties.map((key) => `"${dotted(`${missing.instancePath}/${key}`)}"`).join(', ')} is missing`;
  }
  const fault = errors.find(({ keyword }) => keyword !== 'const' && keyword !== 'boolean') ?? errors[0];
  if (fault === undefined) return 'is not valid';
  const key = dotted(fault.instancePath);
  const shown = secretKeys.some((secret) => key === secret || key.startsWith(`${secret}.`))
    ? ''
    : `, but is ${brief(Value.Pointer.Get(value, fault.instancePath))}`;
  const wanted = allowedLiterals(errors, fault.instancePath) ?? fault.message;
  return `${key === '' ? 'it' : `"${key}"`} ${wanted}${shown}`;
}

/** "must be one of …" for a union of literals, whose own message does not name them. */
function allowedLiterals(errors: ReturnType<typeof Value.Errors>, path: string): string | undefined {
  const values = errors.flatMap((error) =>
    error.keyword === 'const' && error.instancePath === path ? [JSON.stringify(error.params.allowedValue)] : [],
  );
  return values.length === 0 ? undefined : `must be one of ${values.join(', ')}`;
}

function dotted(pointer: string): string {
  return pointer.split('/').slice(1).join('.');
}

function brief(value: unknown): string {
  const text = (JSON.stringify(value) as string | undefined) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
