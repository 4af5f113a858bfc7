import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { WsPublisher } from './ws-publisher.ts';

/** What a program pushes over WebSocket, as ffmpeg options. */
export interface Fmp4Stream {
  readonly inputs: readonly string[];
  readonly codecs: readonly string[];
  readonly movflags?: string;
}

/** Pipes ffmpeg's fragmented MP4 into an open publisher, as it comes, until ffmpeg ends. */
export async function pipeFmp4(publisher: WsPublisher, { inputs, codecs, movflags }: Fmp4Stream): Promise<void> {
  const flags = movflags ?? 'empty_moov+default_base_moof+frag_keyframe';
  const args = ['-v', 'error', ...inputs, ...codecs, '-f', 'mp4', '-movflags', flags, '-flush_packets', '1', 'pipe:1'];
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const chunk of child.stdout) await publisher.send(chunk as Buffer);
  if (child.exitCode === null) await once(child, 'exit');
}
