import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import type { CliError } from '../cli-error.ts';
import { addClusterOptions, contentChoice, type ClusterOptions } from './cluster-options.ts';

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
