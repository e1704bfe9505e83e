import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import type { CliError } from '../cli-error.ts';
import {
  addClusterOptions,
  addOvaOption,
  clusterSettings,
  contentChoice,
  type ClusterOptions,
} from './cluster-options.ts';

describe('what clusters are made of', () => {
  const choose = (args: string[], required = true): ReturnType<typeof contentChoice> => {
    const command = addClusterOptions(new Command('cluster'));
    return contentChoice(command.parse(args, { from: 'user' }).opts<ClusterOptions>(), { required });
  };

  it('is a bundle, or the registry that one was imported into', () => {
    expect(choose(['--bundle', 'artifacts.tar'])).toEqual({ bundle: 'artifacts.tar' });
    expect(choose(['--registry', 'r.example:5000/team/mirror'])).toEqual({
      registry: { host: 'r.example:5000', namespace: 'team/mirror' },
    });
    expect(choose(['--registry', 'r.example'])).toEqual({ registry: { host: 'r.example', namespace: '' } });
  });

  it.each([
    ['both', ['--bundle', 'a.tar', '--registry', 'r.example'], 'both are given', 'leave one of them out'],
    ['neither', [], 'neither a bundle nor a registry', '--registry'],
    ['a URL', ['--registry', 'https://r.example'], 'not the form', 'leave out the scheme'],
    ['credentials', ['--registry', 'me:secret@r.example'], 'not the form', 'docker login'],
  ])('is not %s', (_name, args, message, remedy) => {
    let problem: object | undefined;
    try {
      choose(args);
    } catch (error) {
      ({ problem } = error as CliError);
    }
    expect(problem).toMatchObject({
      message: expect.stringContaining(message) as string,
      remedy: expect.stringContaining(remedy) as string,
    });
    expect(JSON.stringify(problem)).not.toContain('secret');
  });

  it('may be nothing where nothing is made', () => {
    expect(choose([], false)).toEqual({});
  });
});

describe('OVAs of templates', () => {
  const ovas = (...args: string[]): ReturnType<typeof clusterSettings>['ovas'] => {
    const command = addOvaOption(addClusterOptions(new Command('cluster')));
    return clusterSettings(command.parse(args, { from: 'user' }).opts<ClusterOptions>(), '/work').ovas;
  };

  it('are files, alone or with the template that each is for', () => {
    expect(ovas('--ova', 'image.ova')).toEqual([{ file: '/work/image.ova' }]);
    expect(ovas('--ova', '/a=b/image.OVA=/DC/vm/kube=1.34', '--ova', 'b.ova=name')).toEqual([
      { file: '/a=b/image.OVA', template: '/DC/vm/kube=1.34' },
      { file: '/work/b.ova', template: 'name' },
    ]);
    expect(ovas(), 'absent from the input of operations without').toBeUndefined();
  });
});
