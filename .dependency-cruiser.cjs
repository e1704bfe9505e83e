// Who may import whom. Every rule has a planted violation in test/architecture.test.ts, so a rule that stops working is a red test.
// bin/ is outside: it is the one place where the CLI and the composition roots in workers/ meet.
const test = '[.]test[.]ts$';
const layers = (...names) => `^(${names.join('|')})/`;
const no = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
const valuesOnly = { dependencyTypesNot: ['type-only'] };

module.exports = {
  forbidden: [
    no('no-cycles', 'a cycle means two things that live in one place', {}, { circular: true }),
    no('everything-resolves', 'an import that leads nowhere', {}, { couldNotResolve: true }),
    no(
      'no-development-packages',
      'what ships may only need what `dependencies` names',
      { path: layers('contracts', 'core', 'workflows', 'activities', 'plugins', 'workers', 'cli'), pathNot: test },
      { dependencyTypes: ['npm-dev', 'npm-no-pkg'], dependencyTypesNot: ['type-only'] },
    ),
    no(
      'contracts-are-pure',
      'the shared words import nothing',
      { path: layers('contracts'), pathNot: test },
      { pathNot: '^contracts/' },
    ),
    no(
      'workflows-see-only-types',
      'workflow code is replayed: it must not hold machinery',
      { path: layers('workflows'), pathNot: test },
      { path: layers('activities', 'core', 'plugins', 'workers', 'cli'), ...valuesOnly },
    ),
    no(
      'workflows-npm-allowlist',
      'only packages that are safe in the workflow sandbox',
      { path: layers('workflows'), pathNot: test },
      { path: 'node_modules/', pathNot: 'node_modules/@temporalio/(workflow|common)/' },
    ),
    no(
      'workflows-no-node-builtins',
      'builtins are not deterministic',
      { path: layers('workflows'), pathNot: test },
      { dependencyTypes: ['core'] },
    ),
    no(
      'activities-get-plugins-injected',
      'activities are factories: they are handed what they use',
      { path: layers('activities'), pathNot: test },
      { path: layers('plugins', 'workflows', 'workers', 'cli') },
    ),
    no(
      'core-knows-nobody',
      'core runs in a plain script',
      { path: layers('core') },
      { path: layers('workflows', 'activities', 'workers', 'plugins', 'cli') },
    ),
    no(
      'plugins-are-islands',
      'a plugin sees core, contracts and its own folder',
      { path: '^plugins/([^/]+/[^/]+)/' },
      { path: layers('plugins', 'workflows', 'activities', 'workers', 'cli'), pathNot: '^plugins/$1/' },
    ),
    no(
      'plugin-registry-only-registers',
      'plugins/index.ts lists plugins and reaches no further',
      { path: '^plugins/[^/]+[.]ts$', pathNot: test },
      { path: layers('workflows', 'activities', 'workers', 'cli') },
    ),
    no(
      'temporal-at-the-edges',
      'what moves bytes does not know who makes it durable',
      { path: layers('core', 'plugins') },
      { path: 'node_modules/@temporalio/' },
    ),
    no(
      'workers-do-not-talk',
      'a composition root wires machinery; talking to people is the CLI',
      { path: layers('workers'), pathNot: test },
      { path: layers('cli') },
    ),
    no(
      'cli-is-a-client',
      'the CLI gets the machine through contracts/host.ts',
      { path: layers('cli'), pathNot: test },
      { path: layers('activities', 'core', 'workers', 'plugins') },
    ),
    no(
      'cli-types-workflows',
      'loading workflow code outside the sandbox is a mistake',
      { path: layers('cli'), pathNot: test },
      { path: layers('workflows'), ...valuesOnly },
    ),
    no(
      'cli-temporal-client-only',
      'of Temporal the CLI needs the client',
      { path: layers('cli'), pathNot: test },
      { path: 'node_modules/@temporalio/', pathNot: 'node_modules/@temporalio/(client|common|envconfig)/' },
    ),
    no(
      'nobody-imports-tests',
      'test helpers and fixtures stay out of what ships',
      { pathNot: `^test/|${test}` },
      { path: `^test/|${test}|/fixtures/` },
    ),
  ],
  options: {
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
