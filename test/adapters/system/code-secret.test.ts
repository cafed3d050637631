import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CodeSecretRefused, openCodeSecret } from '../../../src/adapters/system/code-secret.ts';
import { deriveKey } from '../../../src/adapters/system/derive-key.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';

describe('the code secret', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'tallyhop-secret-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  const path = () => join(dataDir, 'code-secret');

  it('is the given one, and then nothing is written', () => {
    expect(openCodeSecret(dataDir, 'given by a person', systemRandom)).toBe('given by a person');
    expect(() => statSync(path())).toThrow();
  });

  it('is made once, readable by its owner alone, and kept', () => {
    const made = openCodeSecret(dataDir, null, systemRandom);
    expect(made).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(openCodeSecret(dataDir, null, systemRandom)).toBe(made);
  });

  it('is another one in another folder', () => {
    const first = openCodeSecret(dataDir, null, systemRandom);
    rmSync(path());
    expect(openCodeSecret(dataDir, null, systemRandom)).not.toBe(first);
  });

  it.each([0o644, 0o640, 0o604, 0o666])('is refused when its file has mode %o, with the remedy', (mode) => {
    openCodeSecret(dataDir, null, systemRandom);
    chmodSync(path(), mode);
    expect(() => openCodeSecret(dataDir, null, systemRandom)).toThrow(CodeSecretRefused);
    expect(() => openCodeSecret(dataDir, null, systemRandom)).toThrow('chmod 600');
  });

  it.each(['', 'short\n', `${'x'.repeat(43)}`, `${'x'.repeat(43)}\n\n`, `${'x'.repeat(42)}\0\n`])(
    'is refused when its file is damaged: %j',
    (content) => {
      writeFileSync(path(), content, { mode: 0o600 });
      expect(() => openCodeSecret(dataDir, null, systemRandom)).toThrow('is damaged');
      expect(readFileSync(path(), 'utf8')).toBe(content);
    },
  );

  it('is made although an earlier start was interrupted while it made one', () => {
    writeFileSync(`${path()}.new`, 'half', { mode: 0o600 });
    expect(openCodeSecret(dataDir, null, systemRandom)).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
});

describe('a derived key', () => {
  it('is HKDF-SHA-256 of the secret with the purpose as info', () => {
    expect(deriveKey('secret', 'short codes')).toHaveLength(32);
    expect(deriveKey('secret', 'short codes')).toEqual(deriveKey('secret', 'short codes'));
    expect(deriveKey('secret', 'list cursors')).not.toEqual(deriveKey('secret', 'short codes'));
    expect(deriveKey('other', 'short codes')).not.toEqual(deriveKey('secret', 'short codes'));
  });
});
