# After the description of Google's distroless Python image: Debian's packages, unpacked without dpkg and apt.
# The packages' records are kept for scanners. The real image has one layer for each package.
FROM debian:trixie-slim AS packages
WORKDIR /packages
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && apt-get download \
        base-files dash gcc-14-base libbz2-1.0 libc-bin libc6 libcom-err2 libdb5.3t64 libexpat1 libffi8 libgcc-s1 \
        libgomp1 libgssapi-krb5-2 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 liblzma5 libncursesw6 \
        libpython3.13-minimal libpython3.13-stdlib libreadline8t64 libsqlite3-0 libssl3t64 libstdc++6 libtinfo6 \
        libuuid1 libzstd1 media-types netbase python3-minimal python3.13-minimal readline-common tzdata zlib1g
RUN mkdir -p /rootfs/var/lib/dpkg/status.d /rootfs/etc/ssl/certs /rootfs/home/nonroot /rootfs/tmp \
 && for package in *.deb; do \
        record="/rootfs/var/lib/dpkg/status.d/$(dpkg-deb --field "$package" Package)" \
        && dpkg-deb --extract "$package" /rootfs && dpkg-deb --field "$package" >"$record" \
        && dpkg-deb --ctrl-tarfile "$package" | tar -xO ./md5sums >"$record.md5sums" || exit 1; \
    done \
 && find /rootfs/usr/share/doc -type f ! -name copyright -delete \
 && rm -rf /rootfs/usr/share/man /rootfs/usr/share/locale && chmod 1777 /rootfs/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /rootfs/etc/ssl/certs/ \
 && echo 'root:x:0:0:root:/root:/sbin/nologin' >/rootfs/etc/passwd \
 && echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >>/rootfs/etc/passwd \
 && printf 'root:x:0:\nnonroot:x:65532:\n' >/rootfs/etc/group

FROM scratch
COPY --from=packages /rootfs /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt LANG=C.UTF-8
USER 65532:65532
WORKDIR /home/nonroot
ENTRYPOINT ["/usr/bin/python3"]
