import { stringify } from 'yaml';
import { placedValue } from './image-settings.ts';
import type { Deployment } from './schema.ts';

export const CHARMS_FOLDER = 'charms';

/** What an overlay bundle says of one application. */
export interface OverlayApplication {
  charm?: string;
  options?: Record<string, string>;
  resources?: Record<string, string>;
}

/** Settings of an application that are no images, e.g. how a gateway is reached. */
export type ExtraOptions = Readonly<Record<string, Record<string, string>>>;

/**
 * The overlay that turns every application of a bundle to a local charm and to images of the private registry.
 * @param place where an image is on the far side
 * @param extra by application
 */
export function overlayOf(
  deployment: Deployment,
  place: (image: string) => string,
  extra: ExtraOptions,
): Record<string, OverlayApplication> {
  return Object.fromEntries(
    Object.entries(deployment.applications).map(([name, { charm, resources, settings }]) => {
      const options = {
        ...Object.fromEntries(settings.map((setting) => [setting.option, placedValue(setting, place)])),
        ...extra[name],
      };
      const images = Object.fromEntries(Object.entries(resources).map(([key, image]) => [key, place(image)]));
      const application: OverlayApplication = {
        ...(charm === undefined ? {} : { charm: `./${CHARMS_FOLDER}/${charm.file}` }),
        ...(Object.keys(options).length === 0 ? {} : { options }),
        ...(Object.keys(images).length === 0 ? {} : { resources: images }),
      };
      return [name, application];
    }),
  );
}

/** The text of `overlay-airgap.yaml`. */
export function overlayText(applications: Record<string, OverlayApplication>): string {
  return stringify({ applications }, { lineWidth: 0 });
}
