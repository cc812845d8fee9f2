#!/bin/sh
# Refuse an image that should not be deployed: check its digest, signature, provenance and SBOM.
#
#   sh verify.sh registry.example.com/team/name@sha256:...
#
# Needs cosign 3 and docker with buildx, and reads these variables:
#
#   KEY              the public key of the signature; or, for a signature without a key:
#   IDENTITY         a regular expression for the identity in the certificate of the signature
#   ISSUER           the URL of the issuer of that identity
#   COSIGN_OPTIONS   more options for `cosign verify`
set -eu

refuse() {
    echo "verify: $*" >&2
    exit 1
}

# Store a manifest. Neither cosign nor buildx compares what a registry sends with the digest.
fetch() {
    docker buildx imagetools inspect --raw "${image%@*}@$1" >"$work/$1" || exit 1
    [ "sha256:$(sha256sum <"$work/$1" | cut -c -64)" = "$1" ] || refuse "$image was changed: the registry's content has another digest."
}

image=${1:-}
case $image in
    *@sha256:*) digest=${image##*@} ;;
    *) refuse "name the image by its digest, NAME@sha256:..., not '$image'." ;;
esac
for tool in cosign docker sha256sum; do
    command -v "$tool" >/dev/null || refuse "$tool is not installed."
done
if [ -n "${KEY:-}" ]; then
    signer=$KEY
    set -- --key "$KEY"
elif [ -n "${IDENTITY:-}" ] && [ -n "${ISSUER:-}" ]; then
    signer="$IDENTITY of $ISSUER"
    set -- --certificate-identity-regexp "$IDENTITY" --certificate-oidc-issuer "$ISSUER"
else
    refuse "set KEY, or IDENTITY and ISSUER, to say who must have signed the image."
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch "$digest"
# shellcheck disable=SC2086 # these are several options
if ! answer=$(cosign verify "$@" ${COSIGN_OPTIONS:-} "$image" 2>&1 >/dev/null); then
    case $answer in
        *"no signatures found"*) refuse "$image is not signed." ;;
        *"no matching "*) refuse "$image is signed, but not by $signer." ;;
        *) refuse "cosign cannot check $image: $(echo "$answer" | sed -n 's/^Error: //p')" ;;
    esac
fi

# The signed index names the image of each platform, and for each its attestations.
images=0 provenances=0 sboms=0
if grep -q '"manifests"' "$work/$digest"; then
    grep -o '"digest": *"[^"]*"' "$work/$digest" | cut -d '"' -f 4 >"$work/parts"
    while read -r part; do
        fetch "$part"
        if ! grep -q '"in-toto.io/predicate-type"' "$work/$part"; then images=$((images + 1)); fi
        if grep -q '"https://slsa.dev/provenance/' "$work/$part"; then provenances=$((provenances + 1)); fi
        if grep -q '"https://spdx.dev/Document"' "$work/$part"; then sboms=$((sboms + 1)); fi
    done <"$work/parts"
fi
[ "$images" -gt 0 ] && [ "$provenances" -eq "$images" ] || refuse "$image has no provenance for each platform."
[ "$sboms" -eq "$images" ] || refuse "$image has no SBOM for each platform."
echo "$image is signed by $signer, and has provenance and an SBOM for each platform."
