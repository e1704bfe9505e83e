import { describe, expect, it } from 'vitest';
import { createOrigins } from './origins.ts';

describe('registries', () => {
  const origins = createOrigins({
    'public.ecr.aws': 'http://127.0.0.1:5101/prefix/',
    'quay.io': 'localhost:5102/a/b',
    'ghcr.io': 'mirror.example:8443',
  });

  it('reads a redirected origin from its URL', () => {
    expect(origins.registry('public.ecr.aws')).toEqual({
      host: '127.0.0.1:5101',
      pathPrefix: 'prefix',
      plainHttp: true,
    });
    expect(origins.registry('quay.io')).toEqual({ host: 'localhost:5102', pathPrefix: 'a/b', plainHttp: true });
    expect(origins.registry('ghcr.io')).toEqual({ host: 'mirror.example:8443', pathPrefix: '', plainHttp: false });
  });

  it('leaves others alone; loopback is plain HTTP', () => {
    expect(origins.registry('docker.io')).toEqual({ host: 'docker.io', pathPrefix: '', plainHttp: false });
    expect(origins.registry('127.0.0.1:5000')).toEqual({ host: '127.0.0.1:5000', pathPrefix: '', plainHttp: true });
  });

  it('speaks TLS to loopback where that was asked for, unless the URL says http', () => {
    const asked = createOrigins({ 'quay.io': 'localhost:5102', 'ghcr.io': 'http://localhost:5103' }, true);
    const spoken = ['127.0.0.1:5000', 'quay.io', 'ghcr.io'].map((host) => asked.registry(host).plainHttp);
    expect(spoken).toEqual([false, false, true]);
  });
});

describe('files', () => {
  const origins = createOrigins({
    'https://bucket.example': 'http://127.0.0.1:8080',
    'https://bucket.example/deep': 'https://mirror.example/d/',
  });

  it.each([
    ['https://bucket.example/a/b.yaml', 'http://127.0.0.1:8080/a/b.yaml'],
    ['https://bucket.example/deep/b.yaml?x=1', 'https://mirror.example/d/b.yaml?x=1'],
    ['https://bucket.example/deeper/b', 'http://127.0.0.1:8080/deeper/b'],
    ['https://bucket.example.org/a', 'https://bucket.example.org/a'],
    ['http://bucket.example/a', 'http://bucket.example/a'],
  ])('%s is read from %s', (url, real) => expect(origins.file(url)).toBe(real));
});

describe('bad entries', () => {
  it.each([
    ['public.ecr.aws', 'ftp://x'],
    ['public.ecr.aws', 'https://user:secret@x'],
    ['public.ecr.aws', 'https://x/?a=b'],
    ['public.ecr.aws', ''],
    ['public.ecr.aws/path', 'https://x'],
    ['https://', 'https://x'],
    ['https://x?y=z', 'https://x'],
  ])('refuses %s=%s', (origin, value) => {
    expect(() => createOrigins({ [origin]: value })).toThrow(
      expect.objectContaining({ type: 'InvalidInput' }) as Error,
    );
  });

  it('does not repeat credentials', () => {
    expect(() => createOrigins({ r: 'https://user:secret@x' })).toThrow(/^(?!.*secret)/s);
  });
});
