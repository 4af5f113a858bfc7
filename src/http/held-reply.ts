import type { FastifyReply } from 'fastify';
import { clientSignal } from './client-signal.ts';

/** Answers later; nobody is told anything once the client has gone, and the signal says so. */
export async function heldReply(
  reply: FastifyReply,
  answer: (signal: AbortSignal) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const signal = clientSignal(reply);
  try {
    return await answer(signal);
  } catch (error) {
    if (signal.aborted) return reply.hijack();
    throw error;
  }
}
