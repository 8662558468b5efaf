// Style rules come from typescript-eslint; the folder rules below are the architecture (docs/architecture.md):
// imports run one way, and pure stages see no clock, no randomness, no I/O.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Folders in the order imports may run: a folder imports only from itself and from those listed for it. */
const allowed = {
  schemas: [],
  runtime: ['schemas'],
  evidence: ['schemas'],
  streams: ['schemas', 'runtime'],
  detectors: ['schemas'],
  subjects: ['schemas', 'runtime', 'evidence', 'streams'],
  collectors: ['schemas', 'runtime', 'evidence', 'streams', 'subjects'],
  sinks: ['schemas', 'runtime', 'evidence', 'streams'],
  witness: ['schemas', 'runtime', 'evidence'],
  verifier: ['schemas', 'evidence'],
  notary: ['schemas', 'runtime', 'evidence', 'streams', 'sinks'],
  retention: ['schemas', 'runtime', 'evidence', 'streams', 'sinks', 'notary'],
  receipts: ['schemas', 'runtime', 'evidence', 'streams', 'sinks', 'notary'],
  bundle: ['schemas', 'runtime', 'evidence', 'streams', 'subjects', 'sinks', 'notary', 'receipts'],
  backtest: ['schemas', 'runtime', 'evidence', 'detectors', 'collectors', 'sinks', 'bundle'],
};
const stages = Object.keys(allowed).filter((folder) => folder !== 'witness' && folder !== 'verifier');
allowed.pipeline = stages;
allowed.cli = [...Object.keys(allowed)];
const folders = Object.keys(allowed);

const importRules = folders
  .filter((folder) => folder !== 'cli')
  .map((folder) => ({
    files: [`${folder}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: folders
                .filter((other) => other !== folder && !allowed[folder].includes(other))
                .flatMap((other) => [`../${other}/**`, `../../${other}/**`, `../../../${other}/**`]),
              message: `${folder}/ must not import this folder (docs/architecture.md, "Imports run one way")`,
            },
          ],
        },
      ],
    },
  }));

const noClock = [
  { object: 'Date', property: 'now', message: 'pure code: time comes in as an argument' },
  { object: 'Math', property: 'random', message: 'pure code: no randomness' },
  { object: 'process', property: 'hrtime', message: 'pure code: time comes in as an argument' },
];
/** ECMAScript leaves their last digits to the machine; `+ - * /` are IEEE 754 everywhere. */
const inexact =
  'log log2 log10 log1p exp expm1 pow sin cos tan asin acos atan atan2 sinh cosh tanh cbrt hypot'
    .split(' ')
    .map((property) => ({
      object: 'Math',
      property,
      message: 'detectors give the same bits on every machine',
    }));
const edgesOnly = [
  { object: 'process', property: 'env', message: 'the environment is read in cli/ only' },
  { object: 'process', property: 'exit', message: 'only cli/ ends the process' },
];

export default tseslint.config(
  { ignores: ['dist', 'data', 'node_modules', 'coverage', 'test/fixtures', 'bench/results'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  { files: ['**/*.mjs', '**/*.js'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly' } },
  },
  ...importRules,
  {
    files: [
      '{schemas,runtime,evidence,subjects,streams,detectors,collectors,sinks,retention,pipeline}/**/*.ts',
    ],
    rules: { 'no-restricted-properties': ['error', ...edgesOnly] },
  },
  {
    files: ['{detectors,evidence,schemas}/**/*.ts', 'collectors/normalize/**/*.ts'],
    rules: { 'no-restricted-properties': ['error', ...edgesOnly, ...noClock] },
  },
  {
    files: ['detectors/**/*.ts'],
    rules: { 'no-restricted-properties': ['error', ...edgesOnly, ...noClock, ...inexact] },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
