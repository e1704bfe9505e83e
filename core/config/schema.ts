import { z } from 'zod';

/** What is asked for goes into Temporal's history: a password must not be part of it. */
const withoutCredentials = (text: string): boolean => !/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i.test(text);
const credentials = 'it holds credentials: those of registries belong in docker configuration (`docker login`)';

// The plain text of zod would not say why: YAML reads an unquoted 1.30 as the number 1.3.
const text = z.string({ error: 'it is no text: put it in quotes' }).min(1);
const location = text.refine((value) => !/^[a-z]+:\/\//i.test(value) || withoutCredentials(value), credentials);
const origin = text.refine(withoutCredentials, credentials);

const source = z
  .strictObject({
    name: text.describe('as --source'),
    files: z.array(location).describe('as -f; paths are relative to this file').default([]),
    kubeVersions: z.array(text).describe('as --kube-version').default([]),
    providers: z.array(text).describe('as --provider').default([]),
    release: text.describe('as --release').optional(),
    options: z
      .record(text, z.union([text, z.array(text)], { error: 'it is neither a text nor a list of texts' }))
      .describe('as --source-option; a list where the option may be repeated')
      .optional(),
  })
  .describe('one source and its inputs');

/** `sealift.yaml`. docs/schemas/sealift-config.json is made from this. */
export const exportConfig = z
  .strictObject({
    output: text.describe('as --output; relative to this file').optional(),
    platforms: z
      .array(z.string().regex(/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/, 'it has the form os/arch or os/arch/variant'))
      .describe('as --platform')
      .optional(),
    pullFrom: z.record(origin, origin).describe('as --pull-from: an origin, and the URL it is read from').optional(),
    lock: text.describe('as --lock; relative to this file').optional(),
    concurrency: z.int().min(1).describe('as --concurrency').optional(),
    onFailure: z.enum(['park', 'fail']).describe('as --on-failure').optional(),
    digestPolicy: z.enum(['enforce', 'warn']).describe('as --digest-policy').optional(),
    caFile: text.describe('as --ca-file; relative to this file').optional(),
    plainHttp: z.boolean().describe('as --plain-http').optional(),
    insecureSkipTlsVerify: z.boolean().describe('as --insecure-skip-tls-verify').optional(),
    sources: z.array(source).min(1, 'it names no source').describe('what goes into the one bundle').optional(),
  })
  .describe('sealift export artifacts --config sealift.yaml');
