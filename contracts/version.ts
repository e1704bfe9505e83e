/** Sealift's version; test/architecture.test.ts compares it with package.json. */
export const version = '0.1.0';
