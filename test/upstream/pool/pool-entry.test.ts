import { beforeEach, describe, expect, it } from 'vitest';
import { AddressGuard } from '../../../src/remote/address-guard.ts';
import { RemoteClient } from '../../../src/remote/remote-client.ts';
import { parseRemoteUrl } from '../../../src/remote/remote-url.ts';
import { PoolEntry } from '../../../src/upstream/pool/pool-entry.ts';
import { SourceFetcher } from '../../../src/upstream/pool/source-fetcher.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const target = parseRemoteUrl('http://tv.example/0.ts');

let fetcher: SourceFetcher;
let entry: PoolEntry;
beforeEach(() => {
  const client = new RemoteClient({ guard: new AddressGuard() });
  fetcher = new SourceFetcher({ client, clock: new ManualClock(), addresses: [target] });
  entry = new PoolEntry({ id: '0', target, durationMs: 2_000, kind: 'segment' }, fetcher);
});

/** Its server answers after 400 ms; so many of 1000 bytes have come 200 ms later. */
function come(bytes: number, { size }: { size: number | undefined } = { size: 1_000 }): void {
  entry.began(0);
  entry.described({ size, contentType: undefined }, 400);
  entry.bytes.append(Buffer.alloc(bytes));
  entry.progressed(600);
}

describe('while somebody waits for something', () => {
  beforeEach(() => entry.hold('asked'));

  it('nothing is fetched ahead, until it has come or failed', () => {
    come(100);
    expect(fetcher.traffic.hasPrefetchRoom).toBe(false);
    entry.finish();
    expect(fetcher.traffic.hasPrefetchRoom).toBe(true);
    const other = new PoolEntry(entry.item, fetcher);
    other.hold('asked');
    expect(fetcher.traffic.hasPrefetchRoom).toBe(false);
    other.fail(new Error('gone'));
    expect(fetcher.traffic.hasPrefetchRoom).toBe(true);
  });

  it.each([
    ['not yet if the rest takes longer', 280, false],
    ['if the server could hardly answer before the rest has come', 290, true],
  ])('the next thing may be asked for ahead: %s', (_what, bytes, isAllowed) => {
    come(bytes);
    expect(fetcher.traffic.hasPrefetchRoom).toBe(isAllowed);
  });

  it('nothing is concluded from its first bytes, nor from a body of unknown length', () => {
    entry.began(0);
    entry.described({ size: 1_000, contentType: undefined }, 4_000);
    entry.bytes.append(Buffer.alloc(249));
    entry.progressed(4_000);
    expect(fetcher.traffic.hasPrefetchRoom).toBe(false);
    come(1_000, { size: undefined });
    expect(fetcher.traffic.hasPrefetchRoom).toBe(false);
  });

  it('nothing is fetched ahead when it has to be tried again', () => {
    come(900);
    expect(fetcher.traffic.hasPrefetchRoom).toBe(true);
    entry.began(700);
    expect(fetcher.traffic.hasPrefetchRoom).toBe(false);
    entry.letGo('asked');
    expect(fetcher.traffic.hasPrefetchRoom).toBe(true);
  });
});
