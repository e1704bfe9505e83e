import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateImage } from '../helpers/images.ts';
import { createProvingGround, expectDone, type ProvingGround } from '../helpers/proving-ground.ts';
import { recordedRuns, serverOf } from '../helpers/recorded-runs.ts';

/** Events of one operation over 1,000 blobs: Temporal warns at 10,240, and a UI is unreadable long before. */
const BUDGET = 150;
const IMAGES = 20;
const LAYERS = 49;

let ground: ProvingGround;
let list: string;
beforeAll(async () => {
  ground = await createProvingGround();
  const layers = Array.from({ length: LAYERS }, () => 60);
  const offer = (image: number): Promise<string> =>
    ground.offer(`tiny/image-${image}`, 'v1', generateImage({ seed: `tiny ${image}`, layers }));
  const references = await Promise.all(Array.from({ length: IMAGES }, (_, image) => offer(image)));
  list = await ground.list('images.txt', references);
});
afterAll(() => ground[Symbol.asyncDispose]());

describe(`${IMAGES * (LAYERS + 1)} blobs`, () => {
  it(`are exported and imported in fewer than ${BUDGET} events each`, async () => {
    const tar = ground.path('tiny.tar');
    expectDone(await ground.run(ground.exportArgs(tar, list)), 'the export');
    expectDone(await ground.run(ground.importArgs(tar, 'tiny')), 'the import');
    const runs = await recordedRuns(await serverOf(ground));
    expect(runs.map(({ type }) => type).sort()).toEqual(['exportArtifacts', 'importArtifacts']);
    for (const { type, history } of runs) {
      const events = history.events ?? [];
      const moves = events.filter(({ activityTaskScheduledEventAttributes: scheduled }) =>
        ['fetchBlobs', 'pushBlobs'].includes(scheduled?.activityType?.name ?? ''),
      );
      // the bundle's own small blobs come on top
      expect(moves.length, `batches of ${type}`).toBeGreaterThanOrEqual((IMAGES * (LAYERS + 1)) / 100);
      expect(events.length, `events of ${type}`).toBeLessThan(BUDGET);
    }
  });
});
