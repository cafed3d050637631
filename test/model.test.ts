/** The protocol of the changelog, searched within small bounds by scripts/model.js. `npm run model` searches wider ones. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../scripts/model.js', import.meta.url));

describe('the model of the changelog', () => {
  it('finds no wrong count in the protocol, and one as soon as any rule of it is left out', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--small'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines.filter((line) => line.endsWith('  no wrong count'))).toHaveLength(3);
    expect(lines.filter((line) => line.endsWith('  a wrong count'))).toHaveLength(12);
  }, 600_000);
});
