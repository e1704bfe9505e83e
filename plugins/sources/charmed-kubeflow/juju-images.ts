/** Where Juju's own images are published. */
export const JUJU_IMAGES = 'docker.io/jujusolutions';

/** Charms run on them; the documentation of the air-gapped installation names both, whatever the charms say. */
const DOCUMENTED_BASES = ['ubuntu-20.04', 'ubuntu-22.04'];
/** The database of a Juju 2.9 or 3 controller (`juju-db-snap-channel` is 4.4/stable); later ones have none. */
const JUJU_DB = `${JUJU_IMAGES}/juju-db:4.4`;

/** The base image of a charm, by base (`ubuntu-22.04`): the documented ones and those that are asked for, sorted. */
export function charmBaseImages(bases: readonly string[]): { base: string; image: string }[] {
  return [...new Set([...DOCUMENTED_BASES, ...bases])]
    .sort()
    .map((base) => ({ base, image: `${JUJU_IMAGES}/charm-base:${base}` }));
}

/** What the pod of a controller consists of. @param version `MAJOR.MINOR.PATCH` */
export function controllerImagesOf(version: string): string[] {
  const database = Number(version.split('.')[0]) < 4 ? [JUJU_DB] : [];
  return [`${JUJU_IMAGES}/jujud-operator:${version}`, ...database];
}
