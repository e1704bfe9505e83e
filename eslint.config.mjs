// Type-checked linting. Layering is dependency-cruiser's business (.dependency-cruiser.cjs); the import rules here only show the
// most damaging mistakes while typing: machinery in a workflow, and the CLI reaching behind its port.
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const tests = ['**/*.test.ts', 'test/**/*.ts'];
const longFiles = { max: 400 };
const longFunctions = { max: 60, skipBlankLines: true, skipComments: true };

/** An import pattern that may be used for types but not for values. */
function typesOnly(regex, message) {
  return { regex, message, allowTypeImports: true };
}

export default defineConfig(
  globalIgnores(['dist/', '.dist-*/', '.cache/', 'coverage/', '**/fixtures/**', '*.mjs', '*.cjs']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'max-lines': ['error', longFiles],
      'max-lines-per-function': ['error', longFunctions],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'named exports only' },
        { selector: 'ExportSpecifier[exported.name="default"]', message: 'named exports only' },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': ['error', { checkThenables: true }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-inferrable-types': 'off',
      // headers and environment variables read better as strings beside those that must be
      '@typescript-eslint/dot-notation': 'off',
      // ports are plain objects of functions: there is no `this` to lose
      '@typescript-eslint/unbound-method': 'off',
      // an empty string means "absent" in several contracts, and `||` is how that is said
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true, boolean: true } }],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!node:)(fs|path|os|net|http|https|crypto|stream|util|url|child_process)(/|$)',
              message: 'write node:…',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['workflows/**/*.ts'],
    ignores: tests,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            typesOnly('/(activities|core|plugins|workers|cli)/', 'a workflow sees only the types of what it runs'),
            typesOnly('^node:', 'workflows are deterministic: no Node builtins'),
          ],
        },
      ],
    },
  },
  {
    files: ['cli/**/*.ts'],
    ignores: tests,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '/(activities|core|workers|plugins)/',
              message: 'the CLI gets the machine through contracts/host.ts',
            },
            typesOnly('/workflows/', 'the CLI names workflows by contracts/operations.ts and uses their types only'),
          ],
        },
      ],
    },
  },
  {
    files: tests,
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      // tests look into parsed JSON, where a wrong guess fails the test anyway
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      'no-console': 'off',
    },
  },
);
