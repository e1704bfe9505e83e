import type { Digest } from '../../contracts/descriptor.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';

const SESSIONS = 'sessions.jsonl';

type Line = [repository: string, digest: Digest, location: string | null];

/**
 * Upload sessions that are open at the registry, in a file that survives the process. A location may carry a token of the
 * registry's own, so the file is readable by its owner only.
 */
export class UploadSessions {
  readonly #folder: WorkFolder;
  readonly #open: Map<string, string>;

  private constructor(folder: WorkFolder, open: Map<string, string>) {
    this.#folder = folder;
    this.#open = open;
  }

  static async load(folder: WorkFolder): Promise<UploadSessions> {
    const open = new Map<string, string>();
    for (const [repository, digest, location] of await folder.readLines<Line>(SESSIONS)) {
      if (location === null) open.delete(key(repository, digest));
      else open.set(key(repository, digest), location);
    }
    return new UploadSessions(folder, open);
  }

  of(repository: string, digest: Digest): string | undefined {
    return this.#open.get(key(repository, digest));
  }

  all(): string[] {
    return [...this.#open.values()];
  }

  async note(repository: string, digest: Digest, location: string | undefined): Promise<void> {
    if (this.#open.get(key(repository, digest)) === location) return;
    if (location === undefined) this.#open.delete(key(repository, digest));
    else this.#open.set(key(repository, digest), location);
    await this.#folder.append(SESSIONS, [repository, digest, location ?? null] satisfies Line);
  }
}

function key(repository: string, digest: Digest): string {
  return `${repository}@${digest}`;
}
