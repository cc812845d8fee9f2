# docker buildx bake            build the image for this machine
# docker buildx bake test       run the tests in the image
# docker buildx bake release    build and push every platform, with SBOM and provenance

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

variable "SOURCE" {
  default = ""
}

# The time of the commit, in seconds since 1970: a release sets later times to it, so that two builds
# of a commit give the same image.
variable "EPOCH" {
  default = "0"
}

# Build a release from scratch: layers in the cache have Debian's old packages.
variable "NO_CACHE" {
  default = false
}

# For a private network: files with the CA certificates and with the index's credentials, which the
# build gets as secrets, and the URL of the index.
variable "SSL_CERT_FILE" {
  default = ""
}

variable "NETRC" {
  default = ""
}

variable "INDEX_URL" {
  default = ""
}

# The image of the SBOM generator, for a network that cannot pull BuildKit's.
variable "SBOM_GENERATOR" {
  default = ""
}

function "image" {
  params = [tag]
  result = "${REGISTRY == "" ? "" : "${REGISTRY}/"}jobs:${tag}"
}

group "default" {
  targets = ["image"]
}

target "_common" {
  context = "."
  args = {
    INDEX_URL = INDEX_URL
  }
  secret = concat(
    SSL_CERT_FILE == "" ? [] : ["id=ca-certificates,src=${SSL_CERT_FILE}"],
    NETRC == "" ? [] : ["id=netrc,src=${NETRC}"],
  )
}

target "image" {
  inherits = ["_common"]
  args = {
    VERSION  = VERSION
    REVISION = REVISION
    CREATED  = CREATED
    SOURCE   = SOURCE
  }
  tags   = [image(VERSION)]
  output = ["type=docker"]
}

target "test" {
  inherits = ["_common"]
  target   = "test"
  output = ["type=cacheonly"]
}

target "release" {
  inherits  = ["image"]
  platforms = ["linux/amd64", "linux/arm64"]
  output    = ["type=image,push=true,store=false,rewrite-timestamp=true,source-date-epoch=${EPOCH},compression=zstd,compression-level=19,force-compression=true,oci-mediatypes=true"]
  attest = [
    "type=provenance,mode=max",
    SBOM_GENERATOR == "" ? "type=sbom" : "type=sbom,generator=${SBOM_GENERATOR}",
  ]
  no-cache   = NO_CACHE
  cache-from = ["type=registry,ref=${image("cache")}"]
  cache-to   = ["type=registry,ref=${image("cache")},mode=max"]
}
