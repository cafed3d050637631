import { type Happening, Simulation } from './simulation.ts';

it('x', async () => {
  const happened = new Map<Happening, number>();
  const from = Number(process.env['SEED'] ?? 1);
  const n = Number(process.env['RUNS'] ?? 300);
  const started = performance.now();
  let steps = 0;
  let failed = 0;
  for (let seed = from; seed < from + n; seed++) {
    const simulation = new Simulation(seed);
    try {
      for (const what of await simulation.run()) happened.set(what, (happened.get(what) ?? 0) + 1);
    } catch (error) {
      console.log(`seed ${seed}: ${(error as Error).stack?.split('\n').slice(0, 4).join('\n')}`);
      if (++failed > 5) break;
    }
    steps += simulation.scheduler.steps;
  }
  console.log(
    Object.fromEntries(happened),
    process.cpuUsage().user / 1000 / n,
    (performance.now() - started) / n,
    steps / n,
  );
}, 600_000);
