import { describe, expect, it } from 'vitest';
import { HostAllowList } from '../../../src/ingest/pull/host-allow-list.ts';

function list(entries: readonly string[], names: Record<string, readonly string[]> = {}): HostAllowList {
  return new HostAllowList(entries, (name) => Promise.resolve(names[name] ?? []));
}

const FORBIDDEN = { code: 'FORBIDDEN' };

describe('HostAllowList', () => {
  it('allows nothing when it is empty, and says what to do', async () => {
    for (const host of ['camera.example', '10.0.0.1', '[::1]', '127.0.0.1', '']) {
      expect(() => list([]).checkHost(host)).toThrow(/pull\.allowHosts/);
      await expect(list([]).check(host)).rejects.toMatchObject(FORBIDDEN);
    }
  });

  it('answers the address of a listed name, public or private, whatever its case and final dot', async () => {
    const hosts = list(['Camera.example', 'public.example'], {
      'camera.example': ['192.168.1.20', '192.168.1.21'],
      'public.example': ['93.184.216.34', '2606:2800:220:1:248:1893:25c8:1946'],
    });
    expect(await hosts.check('CAMERA.example.')).toBe('192.168.1.20');
    expect(await hosts.check('public.example')).toBe('93.184.216.34');
    await expect(hosts.check('other.example')).rejects.toMatchObject(FORBIDDEN);
    await expect(hosts.check('a.camera.example')).rejects.toMatchObject(FORBIDDEN);
  });

  it.each([
    '127.0.0.1',
    '169.254.169.254',
    '0.0.0.0',
    '::1',
    'fe80::1',
    '224.0.0.1',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
  ])('does not let a listed name lead to %s, unless that is listed too', async (address) => {
    const names = { 'camera.example': ['192.168.1.20', address] };
    await expect(list(['camera.example'], names).check('camera.example')).rejects.toMatchObject(FORBIDDEN);
    expect(await list(['camera.example', address], names).check('camera.example')).toBe('192.168.1.20');
  });

  it('allows addresses of listed blocks, and names that lead nowhere else', async () => {
    const hosts = list(['10.1.0.0/16', 'fd00::/8', '127.0.0.1'], {
      'inside.example': ['10.1.2.3'],
      'both.example': ['10.1.2.3', '10.2.2.3'],
      'public.example': ['93.184.216.34'],
    });
    expect(await hosts.check('10.1.255.255')).toBe('10.1.255.255');
    expect(await hosts.check('[FD00::1]')).toBe('fd00::1');
    expect(await hosts.check('127.0.0.1')).toBe('127.0.0.1');
    expect(await hosts.check('::ffff:10.1.2.3')).toBe('::ffff:10.1.2.3');
    expect(await hosts.check('inside.example')).toBe('10.1.2.3');
    for (const host of ['10.2.0.1', '127.0.0.2', '93.184.216.34', 'both.example', 'public.example']) {
      await expect(hosts.check(host)).rejects.toMatchObject(FORBIDDEN);
    }
    // Only asking tells where a name leads.
    expect(() => hosts.checkHost('both.example')).not.toThrow();
    expect(() => hosts.checkHost('10.2.0.1')).toThrow();
  });

  it('judges other spellings of an address by where they lead', async () => {
    const names = { '127.1': ['127.0.0.1'], '2130706433': ['127.0.0.1'], '0x7f.1': ['127.0.0.1'] };
    for (const host of Object.keys(names)) {
      await expect(list(['10.0.0.0/8'], names).check(host)).rejects.toMatchObject(FORBIDDEN);
    }
  });

  it('takes nothing for a name that is none', async () => {
    for (const host of ['a b', 'a/b', 'a@b', '-option', 'a:1', '%31', 'a'.repeat(300)]) {
      await expect(list(['10.0.0.0/8'], { [host]: ['10.0.0.1'] }).check(host)).rejects.toMatchObject(FORBIDDEN);
    }
  });

  it('says when a name cannot be resolved', async () => {
    await expect(list(['gone.example']).check('gone.example')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const failing = new HostAllowList(['gone.example'], () => Promise.reject(new Error('ENOTFOUND')));
    await expect(failing.check('gone.example')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('really resolves names', async () => {
    expect(await new HostAllowList(['127.0.0.0/8', '::1']).check('localhost')).toMatch(/^(127\.0\.0\.1|::1)$/);
    await expect(new HostAllowList(['localhost']).check('localhost')).rejects.toMatchObject(FORBIDDEN);
  });

  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'a/8', '::/129', '10.0.0.0/x'])(
    'refuses the entry %s',
    (entry) => {
      expect(() => list([entry])).toThrow(/neither a name/);
    },
  );
});
