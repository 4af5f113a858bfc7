import { AppError } from '../util/errors.ts';

/** An event is some kilobytes; a server that sends more at a time is none of ours. */
const MAX_EVENT_CHARS = 1024 * 1024;

/** A server-sent event. */
export interface ServerEvent {
  readonly type: string;
  readonly data: string;
}

/**
 * Reads server-sent events until their stream ends. Comments are left out.
 * @throws AppError `BAD_MEDIA` if an event is larger than 1 MiB; what the stream throws
 */
export async function* readEvents(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of stream) {
    pending += decoder.decode(chunk, { stream: true });
    const blocks = pending.split(/\r?\n\r?\n/);
    pending = blocks.pop() ?? '';
    if (pending.length > MAX_EVENT_CHARS) {
      throw new AppError('BAD_MEDIA', `the server sent an event of more than ${MAX_EVENT_CHARS} characters`);
    }
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event !== undefined) yield event;
    }
  }
}

function parseBlock(block: string): ServerEvent | undefined {
  const lines = block.split(/\r?\n/);
  const values = (field: string): string[] =>
    lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).replace(/^ /, ''));
  const data = values('data');
  return data.length === 0 ? undefined : { type: values('event').at(-1) ?? 'message', data: data.join('\n') };
}
