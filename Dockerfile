# The worker, and the CLI beside it. Debian, not Alpine: Temporal's native core needs glibc.
ARG NODE_IMAGE=node:20.20-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /opt/sealift
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY contracts contracts
COPY core core
COPY workflows workflows
COPY activities activities
COPY plugins plugins
COPY workers workers
COPY cli cli
COPY bin bin
COPY tools/build-dist.mjs tools/
RUN npm run build && npm prune --omit=dev
# The package carries its native core for five platforms, some 30 MB each; this image runs on one.
RUN case "$(uname -m)" in x86_64 | aarch64) ;; *) echo "no native core for $(uname -m)" >&2; exit 1 ;; esac \
  && find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 \
    ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -r {} +

FROM ${NODE_IMAGE}
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --create-home --uid 10001 sealift \
  && install --directory --owner=sealift --group=sealift /bundles \
  && ln -s /opt/sealift/bin/sealift /usr/local/bin/sealift
WORKDIR /opt/sealift
COPY --from=build /opt/sealift/package.json ./
COPY --from=build /opt/sealift/node_modules node_modules
COPY --from=build /opt/sealift/dist dist
COPY --from=build /opt/sealift/bin bin
COPY deploy/worker-entrypoint.sh deploy/worker-health.sh deploy/
ENV NODE_ENV=production
USER sealift
VOLUME /bundles
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/opt/sealift/deploy/worker-health.sh"]
ENTRYPOINT ["/opt/sealift/deploy/worker-entrypoint.sh"]
CMD ["worker"]
