import { z } from 'zod';
import { specDocument } from './common-schema.ts';

const text = z.string();
const groups = z.array(text).optional();

export const oidcConfigDocument = specDocument(
  z.strictObject({
    clientId: text,
    groupsClaim: text.optional(),
    groupsPrefix: text.optional(),
    issuerUrl: text,
    requiredClaims: z.array(z.strictObject({ claim: text.optional(), value: text.optional() })).optional(),
    usernameClaim: text.optional(),
    usernamePrefix: text.optional(),
  }),
);

export const awsIamConfigDocument = specDocument(
  z.strictObject({
    awsRegion: text,
    backendMode: z.array(text),
    mapRoles: z.array(z.strictObject({ roleARN: text, username: text, groups })).optional(),
    mapUsers: z.array(z.strictObject({ userARN: text, username: text, groups })).optional(),
    partition: text.optional(),
  }),
);
