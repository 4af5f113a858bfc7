import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRemoteUrl } from '../../../src/remote/remote-url.ts';
import { KeyStore } from '../../../src/upstream/pool/key-store.ts';
import { SourceFetcher } from '../../../src/upstream/pool/source-fetcher.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { PoolRig } from './pool-rig.ts';

let rig: PoolRig;
let clock: ManualClock;
let keys: KeyStore;
beforeEach(async () => {
  clock = new ManualClock();
  rig = await PoolRig.start({ clock, bytes: randomBytes(16) });
  keys = new KeyStore({ clock });
});
afterEach(() => rig.close());

function key(path: string, signal?: AbortSignal): Promise<Buffer> {
  return keys.key(parseRemoteUrl(rig.server.url(path)), rig.fetcher, signal);
}

describe('KeyStore', () => {
  it('fetches a key once for all who need it, for an hour', async () => {
    for (const got of await Promise.all([key('/k'), key('/k'), key('/k')])) expect(got).toEqual(rig.bytes);
    clock.advance(3_599_999);
    await key('/k');
    expect(rig.paths).toEqual(['/k']);
    clock.advance(1);
    await key('/k');
    await key('/k?other');
    expect(rig.paths).toEqual(['/k', '/k', '/k?other']);
  });

  it('fetches a key anew when it turns out not to fit', async () => {
    await key('/k');
    keys.forget(parseRemoteUrl(rig.server.url('/k')), rig.fetcher);
    await key('/k');
    expect(rig.paths).toHaveLength(2);
  });

  it('gives no source what only another one may fetch', async () => {
    await key('/k');
    const target = parseRemoteUrl(rig.server.url('/k'));
    const stranger = new SourceFetcher({ client: rig.client, clock, addresses: [] });
    rig.server.trick = (_request, response) => void response.writeHead(403).end();
    await expect(keys.key(target, stranger)).rejects.toMatchObject({ status: 403 });
  });

  it.each([0, 15, 17, 64])('takes no key of %i bytes, and asks again the next time', async (size) => {
    rig.server.replace(randomBytes(size), '"bad"');
    await expect(key('/k')).rejects.toMatchObject({ code: 'BAD_MEDIA' });
    rig.server.replace(rig.bytes, '"good"');
    expect(await key('/k')).toEqual(rig.bytes);
  });

  it('reads no more than a key may have', async () => {
    rig.server.replace(randomBytes(65), '"long"');
    await expect(key('/k')).rejects.toMatchObject({ kind: 'too-large' });
  });

  it('keeps the 64 that were fetched last', async () => {
    for (let n = 0; n <= 64; n++) await key(`/${n}`);
    await key('/1');
    expect(rig.paths).toHaveLength(65);
    await key('/0');
    expect(rig.paths).toHaveLength(66);
  });

  it('lets one give up while another waits', async () => {
    rig.server.trick = (_request, response) => void setImmediate(() => response.writeHead(200).end(rig.bytes));
    const controller = new AbortController();
    const [one, other] = [key('/k', controller.signal), key('/k')];
    controller.abort();
    await expect(one).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await other).toEqual(rig.bytes);
    await expect(key('/k', AbortSignal.abort())).rejects.toThrow(/aborted/);
    expect(await key('/k', new AbortController().signal)).toEqual(rig.bytes);
  });
});
