/** Jest runs the TypeScript sources as native ES modules; swc only strips the types. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      },
    ],
  },
  collectCoverageFrom: ['src/**/*.ts', '!src/main.ts'],
  coverageProvider: 'v8',
  testTimeout: 30_000,
  // Tests of the running program start processes of their own and wait for them in real time.
  maxWorkers: 2,
  globalSetup: '<rootDir>/scripts/test-services.js',
  globalTeardown: '<rootDir>/scripts/test-services-end.js',
  testSequencer: '<rootDir>/scripts/test-order.js',
};
