# Builds the same thing as `npm start`: packages from the lockfile, the compiled server, ffmpeg from the system.
#
#   docker build -t laddercast .
#   docker run -p 1935:1935 -p 8080:8080 -v laddercast-data:/data laddercast
#
# The secrets are printed at the first start; set LADDERCAST_ADMIN_TOKEN and LADDERCAST_STREAM_KEY to choose them.
# For many viewers raise the limits too: --ulimit nofile=65536:65536

FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ffmpeg tini \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node /data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY ladders ./ladders
ENV NODE_ENV=production LADDERCAST_DATA_DIR=/data
USER node
VOLUME /data
EXPOSE 1935 8080 8443
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.LADDERCAST_HTTP_PORT || 8080}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# tini passes signals on and reaps encoders.
ENTRYPOINT ["tini", "--", "node", "dist/cli.js"]
