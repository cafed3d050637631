import { createMemoryStateStore } from '../../../src/adapters/memory/memory-state-store.ts';
import { describeStateStore } from '../../contracts/state-store.ts';

describeStateStore('memory', async () => ({ store: createMemoryStateStore(), remove: async () => undefined }));
