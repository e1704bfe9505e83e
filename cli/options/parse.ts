import { InvalidArgumentError, type Command } from 'commander';

/** For repeatable options: adds one value to those given before. */
export function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

/** For repeatable options whose values are lists separated by commas. */
export function collectCommaLists(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), ...value.split(',').filter((part) => part !== '')];
}

/** For repeatable `KEY=VALUE` options. The value may hold `=`. @throws InvalidArgumentError, also when a key is given twice */
export function collectPairs(value: string, earlier: Record<string, string> | undefined): Record<string, string> {
  const split = value.indexOf('=');
  const key = value.slice(0, split);
  if (split < 1 || split === value.length - 1) throw new InvalidArgumentError('It has the form KEY=VALUE.');
  if (earlier !== undefined && key in earlier) throw new InvalidArgumentError(`${key} is given twice.`);
  return { ...earlier, [key]: value.slice(split + 1) };
}

/** For repeatable `NAME=VALUE` options whose names may be given several times. @throws InvalidArgumentError */
export function collectLists(value: string, earlier: Record<string, string[]> | undefined): Record<string, string[]> {
  const [[name = '', given = ''] = []] = Object.entries(collectPairs(value, undefined));
  return { ...earlier, [name]: [...(earlier?.[name] ?? []), given] };
}

/** A whole number of at least 1. @throws InvalidArgumentError */
export function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It is a whole number of at least 1.');
  return number;
}

/** A size in bytes, with K, M, G or T for powers of 1024. @throws InvalidArgumentError */
export function byteSize(value: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(value) ?? [];
  if (number === '') throw new InvalidArgumentError('It is a number of bytes, or one with K, M, G or T, e.g. 20G.');
  return Math.round(Number(number) * 1024 ** ' KMGT'.indexOf(unit.toUpperCase()));
}

/** `os/arch[/variant]`, as in the OCI image index. @throws InvalidArgumentError */
export function collectPlatforms(value: string, earlier: string[] | undefined): string[] {
  if (!/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/.test(value)) {
    throw new InvalidArgumentError('It has the form os/arch or os/arch/variant, e.g. linux/amd64.');
  }
  return collect(value, earlier);
}

/**
 * Makes options required. Commander's own `requiredOption` complains of a missing option before it looks at one that is
 * misspelt, and so hides the better hint.
 *
 * @param long names with their dashes, e.g. `--output`
 */
export function requireOptions(command: Command, ...long: string[]): Command {
  return command.hook('preAction', () => {
    for (const option of command.options) {
      const given = command.getOptionValue(option.attributeName()) !== undefined;
      if (!given && option.long != null && long.includes(option.long)) missingOption(command, option.long);
    }
  });
}

/** Ends the command as commander does for a required option that is missing. @param long its name with dashes */
export function missingOption(command: Command, long: string): never {
  const flags = command.options.find((option) => option.long === long)?.flags ?? long;
  command.error(`error: required option '${flags}' not specified`, { code: 'commander.missingMandatoryOptionValue' });
}
