# The Makefile calls this file: `make build` builds every image for this machine, and
# `make release` builds and pushes every platform, with SBOM and provenance.

variable "PYTHON_VERSIONS" {
  default = "3.13"
}

variable "REGISTRY" {
  default = "registry.example.com/team"
}

variable "VERSION" {
  default = "0.0.0-dev"
}

variable "REVISION" {
  default = "unknown"
}

variable "CREATED" {
  default = "1970-01-01T00:00:00Z"
}

# The time of the commit, in seconds since 1970: a release sets later times to it, so that two builds
# of a commit give the same image.
variable "EPOCH" {
  default = "0"
}

# The address of the source repository, and the licence as an SPDX expression.
variable "SOURCE" {
  default = ""
}

variable "LICENSES" {
  default = ""
}

# Build a release from scratch: layers in the cache have Debian's old packages.
variable "NO_CACHE" {
  default = false
}

# For a private network: the build gets the CA bundle and the credentials as secrets, and the
# addresses of the index and of a mirror of Debian's packages as arguments.
variable "SSL_CERT_FILE" {
  default = ""
}

variable "NETRC" {
  default = ""
}

variable "INDEX_URL" {
  default = ""
}

variable "APT_MIRROR" {
  default = ""
}

# The image of the SBOM generator, for a network that cannot pull BuildKit's.
variable "SBOM_GENERATOR" {
  default = ""
}

function "image" {
  params = [tag]
  result = "${REGISTRY == "" ? "" : "${REGISTRY}/"}python-base:${tag}"
}

group "default" {
  targets = ["image"]
}

# The first tag names the Python version and the flavor, the second Debian's release as well, and
# the third the release of the base image too. The Makefile sets PYTHON_VERSION for each target.
target "image" {
  matrix = {
    python = split(" ", PYTHON_VERSIONS)
    flavor = ["builder", "slim", "distroless", "debug"]
  }
  name   = "image-${replace(python, ".", "-")}-${flavor}"
  target = flavor
  args = {
    PYTHON     = python
    INDEX_URL  = INDEX_URL
    APT_MIRROR = APT_MIRROR
    VERSION    = VERSION
    REVISION   = REVISION
    CREATED    = CREATED
    SOURCE     = SOURCE
    LICENSES   = LICENSES
  }
  secret = concat(
    SSL_CERT_FILE == "" ? [] : ["id=ca-certificates,src=${SSL_CERT_FILE}"],
    NETRC == "" ? [] : ["id=netrc,src=${NETRC}"],
  )
  tags = [
    image("${python}-${flavor}"),
    image("${python}-${flavor}-trixie"),
    image("${python}-${flavor}-trixie-${VERSION}"),
  ]
  output = ["type=docker"]
}

target "release" {
  matrix = {
    python = split(" ", PYTHON_VERSIONS)
    flavor = ["builder", "slim", "distroless", "debug"]
  }
  name      = "release-${replace(python, ".", "-")}-${flavor}"
  inherits  = ["image-${replace(python, ".", "-")}-${flavor}"]
  platforms = ["linux/amd64", "linux/arm64"]
  output    = ["type=image,push=true,store=false,rewrite-timestamp=true,source-date-epoch=${EPOCH},compression=zstd,compression-level=19,force-compression=true,oci-mediatypes=true"]
  attest = [
    "type=provenance,mode=max",
    SBOM_GENERATOR == "" ? "type=sbom" : "type=sbom,generator=${SBOM_GENERATOR}",
  ]
  no-cache   = NO_CACHE
  cache-from = ["type=registry,ref=${image("cache-${python}-${flavor}")}"]
  cache-to   = ["type=registry,ref=${image("cache-${python}-${flavor}")},mode=max"]
}
